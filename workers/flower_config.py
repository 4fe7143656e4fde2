"""Flower's own configuration file: `celery flower --conf` reads these names as its options."""

from workers import flower_pages

flower_pages.adapt()
tasks_columns = flower_pages.TASK_COLUMNS
format_task = flower_pages.show_task
