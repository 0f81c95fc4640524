/*
 * agent/memory_trim - what only a start needs does not stay in memory
 *
 * Shape:     code and constants of the program and its libraries leave this process's memory, and come back from the page
 *            cache as they are used again; the heap gives back what is free.
 * Limits:    nothing that was ever written to is touched.
 */
#pragma once

void xt_memory_trim(void);
