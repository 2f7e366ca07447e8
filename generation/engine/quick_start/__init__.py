"""What makes a start quick: work of the libraries that is remembered, put off, or done without."""
