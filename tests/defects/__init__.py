"""Known defects of programs that send messages, and the proof that the tests and the simulation find each of them."""
