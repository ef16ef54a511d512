"""The interfaces to the outside, a module for each idea. Services use them; adapters and test fakes implement them."""
