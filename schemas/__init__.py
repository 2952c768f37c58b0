"""Values only: what the layers hand to each other, with no behaviour of their own."""
