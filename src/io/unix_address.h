/*
 * io/unix_address - the address of a socket file, however long its path is
 *
 * Method:    an address holds 107 bytes; a longer path is reached through its folder's descriptor in /proc/self/fd.
 * Errors:    <0 errno.
 * Ownership: *ret_fd (-1: none) is closed by the caller after bind or connect.
 * Source:    unix(7), proc(5).
 */
#pragma once
#include <sys/un.h>

#include "base/error.h"

XT_MUST_USE int xt_unix_address(const char *path, struct sockaddr_un *ret, int *ret_fd);
