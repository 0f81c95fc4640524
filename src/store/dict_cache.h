/*
 * store/dict_cache - unpacked chunks of dictionaries, those used last
 *
 * Ownership: blocks are counted; the cache holds one reference of each it has. A block's bytes never change.
 * Threads:   any.
 * Limits:    max_bytes of blocks that nobody but the cache holds, roughly; the one used longest ago goes first.
 */
#pragma once
#include "store/segment.h"

typedef struct xt_dict_cache xt_dict_cache;
typedef struct xt_dict_block xt_dict_block;

XT_MUST_USE xt_dict_cache *xt_dict_cache_new(size_t max_bytes); /* NULL: no memory */
xt_dict_cache *xt_dict_cache_free(xt_dict_cache *cache);        /* accepts NULL, returns NULL */

/* The chunk's block, retained; NULL when it is not there. */
xt_dict_block *xt_dict_cache_find(xt_dict_cache *cache, const xt_segment *segment, xt_field field, uint32_t chunk);
/* Reads the chunk to a block of its own, retained; put into the cache when keep is set. */
XT_MUST_USE int xt_dict_cache_read(xt_dict_cache *cache, xt_segment_reader *reader, const xt_segment *segment,
                                   xt_field field, uint32_t chunk, bool keep, xt_dict_block **ret,
                                   xt_problem *reterr_problem);
bool xt_dict_block_is(const xt_dict_block *block, const xt_segment *segment, xt_field field, uint32_t chunk);
const xt_slice *xt_dict_block_entries(const xt_dict_block *block);
xt_dict_block *xt_dict_block_unref(xt_dict_block *block); /* accepts NULL, returns NULL */
