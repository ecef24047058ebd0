"""Speed and exactness of decoding, ours and that of peers."""
