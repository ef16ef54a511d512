"""What is true: messages, the order of their statuses, failure reasons, numbers and segments. Pure."""
