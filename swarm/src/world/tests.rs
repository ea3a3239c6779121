//! Whole seeds: they hold, they replay, and each checker catches the bug that it is for.
