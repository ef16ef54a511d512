"""The local stack: runs Sampai on one computer, without an AWS account and without accounts at vendors."""
