"""One module per screen: what it gathers, and which templates show it.

A screen is a ``Screens`` that app/ui/mounting.py lists. Its views gather a frozen dataclass, which its templates show
as ``page``: ``page(rule, template)`` for a whole page, ``fragment(rule, template)`` for a part that renews itself,
``action(rule)`` for a button. A part's template is included in the page's too, and imports ``macros.html`` itself. What
all screens share is in templates/macros.html; a template never says what holds "now", such as how long ago a time is.
"""
