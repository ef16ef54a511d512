"""What we do: send, receive, follow up, publish. All input and output goes through the ports."""
