"""The pure rules: messages, the order of their statuses, failure reasons, phone numbers and segments."""
