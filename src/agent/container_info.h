/*
 * agent/container_info - image, name and pod of a container, out of the files that its runtime keeps
 *
 * Shape:     by container id. A runtime's socket is never spoken with: it would be root's rights for whoever holds it.
 * Limits:    ids of 64 hex digits; a file is read once, up to XT_CONTAINER_FILE_BYTES; texts of 255 bytes (longer ones are left
 *            out); XT_CONTAINER_MAX containers, then all are read anew. One that no file tells of is looked for again after
 *            XT_CONTAINER_RETRY_MS.
 * Format:    docker: config.v2.json. containerd, CRI-O, podman: config.json of the OCI runtime specification, of which the
 *            annotations that the Kubernetes runtimes write are read.
 * Threads:   one at a time.
 */
#pragma once
#include "base/map.h"

#define XT_CONTAINER_FILE_BYTES ((size_t)1 << 20)
#define XT_CONTAINER_MAX        1024
#define XT_CONTAINER_RETRY_MS   10000
#define XT_CONTAINER_TEXT       256

typedef struct xt_container_info {
    char id[65];
    bool is_known;
    int64_t asked_ms;
    char image[XT_CONTAINER_TEXT], name[XT_CONTAINER_TEXT], pod[XT_CONTAINER_TEXT], namespace[XT_CONTAINER_TEXT];
} xt_container_info;

typedef struct xt_container_set {
    xt_map map;
    const char *root; /* in front of the runtimes' folders; "" but for tests */
} xt_container_set;

void xt_container_set_fini(xt_container_set *set);
/* Valid until the next call; NULL: it is no container that a runtime would know, or there is no memory. */
const xt_container_info *xt_container_find(xt_container_set *set, xt_slice id, int64_t now_ms);
/* What a runtime's file says; texts that are not there stay as they are. False: nothing of use. */
bool xt_container_parse(xt_slice text, xt_container_info *info);
