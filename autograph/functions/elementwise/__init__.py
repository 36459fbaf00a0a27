"""Operations made of functions of numbers, one for each element: how they are made, and those that there are."""
