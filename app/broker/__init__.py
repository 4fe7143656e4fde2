"""Messages out through Celery: task names, queues, dispatch."""
