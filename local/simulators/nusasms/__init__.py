"""NusaSMS (Indonesia): SMS, WhatsApp and WhatsApp Official, as in the vendor's "NusaSMS API v1.0"."""
