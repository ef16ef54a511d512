"""The public documents and their validation: requests on the queue, events, settings and the secret."""
