"""The local stack: what runs Sampai on one computer, without an AWS account and without a vendor's account."""
