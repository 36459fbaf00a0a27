//! needs first_failure
// Whether an index lies within a length; reports the launch's first that doesn't.
bool in_range(uint index, uint length_, uint site) {
    bool inside = index < length_;
    if (!inside && first_failure(site)) {
        report.words[0] = index;
        report.words[1] = length_;
    }
    return inside;
}
