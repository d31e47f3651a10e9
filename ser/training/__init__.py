"""What training loops of different methods share."""
