// How many numbers range(start, stop, step) has; none for a step of 0.
U range_count(T start, T stop, T step) {
    U count = U(0);
    if (step > T(0) && start < stop) count = (U(stop) - U(start) - U(1)) / U(step) + U(1);
    if (step < T(0) && start > stop) count = (U(start) - U(stop) - U(1)) / (U(0) - U(step)) + U(1);
    return count;
}
