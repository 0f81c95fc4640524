/*
 * bench/generate/capture_private - for capture_read.c (text to samples) and capture_trees.c (samples to trees)
 */
#pragma once
#include "capture.h"

#include "base/map.h"

/* A sample and what its place among the others is found by. */
typedef struct xt_raw_sample {
    xt_sample sample;
    int64_t time_ms;
    uint64_t serial, ses; /* UINT64_MAX: unset */
    uint32_t pid, ppid;   /* UINT32_MAX: none */
    bool is_exec, is_end; /* of a session */
    const xt_text *exe, *parent_exe, *comm, *tty;
    int32_t process;
} xt_raw_sample;

struct xt_capture {
    xt_arena arena;
    xt_map texts;
    xt_text **text_list;
    uint32_t n_texts, cap_texts;
    uint32_t n_patched; /* texts whose patches are known */
    xt_raw_sample *raw;
    size_t n_raw, cap_raw;
    xt_tree *trees;
    xt_root *roots;
    uint32_t n_trees, cap_trees, n_roots, cap_roots;
    xt_sample shell, command; /* a shell at a terminal, and an exec below it */
    bool has_command;
};

/* Makes room for one more in an array; NULL-safe. */
XT_MUST_USE int xt_capture_grow(void *array, size_t each, size_t n, size_t *cap);
XT_MUST_USE const xt_text *xt_capture_intern(xt_capture *capture, xt_slice bytes, bool is_paths);
/* Cuts what was read since the last call into trees. */
XT_MUST_USE int xt_capture_cut(xt_capture *capture);
/* Finds the patches of texts that are new. */
XT_MUST_USE int xt_capture_patch(xt_capture *capture);
