"""Operations that combine all elements along axes: how they are made, and those that there are."""
