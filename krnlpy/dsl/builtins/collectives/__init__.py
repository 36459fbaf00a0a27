"""What the threads of a subgroup do together.

A subgroup is a few threads of a group that a device runs in lockstep: ``subgroup_threads()`` of them, each in a lane.
All functions here are over the *active* threads: those of the subgroup that make this very call together. A thread
that took another branch, has left the loop or has returned is not active. The last subgroup of a group may have fewer
threads than others. Hence the calls may be under any condition. Vectors and matrices are taken element by element.
"""
