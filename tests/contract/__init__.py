"""Laws that every implementation of a port keeps, and what each of them adds."""
