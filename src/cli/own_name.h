/*
 * cli/own_name - who runs this program
 *
 * Threads:   one.
 */
#pragma once

/* The name of who logged in, whatever su and sudo did since; else of who runs this; NULL: it has none. Static memory. */
const char *xt_cli_own_name(void);
