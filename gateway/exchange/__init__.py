"""The transaction format of CV 2088, spoken on both hops: school → department and department → Ministry."""
