"""What lockutils costs, beside the system calls it is made of and beside its peers."""
