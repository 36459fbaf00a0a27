"""Operations that combine each element along an axis with all before it: how they are made, and those there are."""
