"""Celery's settings, and nothing else. docs/celery.md tells why each differs from the default."""

import os

from app import broker_urls
from app.broker import redis_transport, signing, transport

redis_transport.install()

_broker = broker_urls.read(os.environ.get("BROKER_URL", "redis://localhost:6379/0"))
broker_url = _broker.url
broker_use_ssl = _broker.tls or False
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True
broker_transport_options = transport.build_options(broker_url)
# Used by AMQP alone: a dead broker is noticed within 20 s.
broker_heartbeat = 10
visibility_timeout = 900

# Nothing but JSON is ever read; with a key, nothing but what it has signed.
task_serializer = signing.register_serializer(os.environ.get("FERRYMAN_MESSAGE_KEY", ""))
accept_content = [task_serializer]
event_serializer = task_serializer
task_ignore_result = True
task_track_started = False
task_acks_late = True
task_reject_on_worker_lost = True
task_acks_on_failure = True
task_acks_on_timeout = True
task_create_missing_queues = True
task_create_missing_queue_type = transport.queue_type(broker_url)
# A message without a queue would land where no daemon listens: this name makes such a mistake visible.
task_default_queue = "unrouted"
task_publish_retry = True
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}

# The work waits for upstreams and for Postgres: threads need less memory, stop in 0.1 s and fork nothing.
worker_pool = "threads"
# What is none of our tasks never reaches Celery.
worker_consumer = "workers.consumer:CheckingConsumer"
worker_prefetch_multiplier = 1
worker_soft_shutdown_timeout = 8
worker_enable_soft_shutdown_on_idle = False
# Threads can not be cancelled; a slice whose message comes back meanwhile finds its unit taken.
worker_cancel_long_running_tasks_on_connection_loss = False
worker_send_task_events = True
worker_hijack_root_logger = False
# Flower learns of a task when a daemon receives it; to tell it of each message sent costs a quarter of every publish.
task_send_sent_event = False
