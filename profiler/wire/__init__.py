"""What host and device share: messages, and their strict decoding. Travels to devices."""
