"""Networks: architectures, training, importing, controls; loading and saving them."""
