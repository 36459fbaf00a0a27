"""Networks that train in minutes to a result that is stated: one file each."""
