"""The generation by fuel behind the intensities: kept where sources tell it, absent where none does, never a typical one."""
