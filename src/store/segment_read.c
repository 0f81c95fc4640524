#include "store/segment.h"
#include <stdlib.h>
xt_segment *xt_segment_ref(xt_segment *segment)
{
    return segment;
}
xt_segment *xt_segment_unref(xt_segment *segment)
{
    return NULL;
}
const xt_segment_info *xt_segment_info_get(const xt_segment *segment)
{
    return NULL;
}
const char *xt_segment_name(const xt_segment *segment)
{
    return "";
}
xt_segment_group xt_segment_group_get(const xt_segment *segment, uint32_t group)
{
    return (xt_segment_group){0};
}
bool xt_segment_range(const xt_segment *segment, uint32_t group, xt_field field, uint64_t *ret_min, uint64_t *ret_max)
{
    return false;
}
xt_segment_reader *xt_segment_reader_new(const xt_vfs *vfs)
{
    return malloc(1);
}
xt_segment_reader *xt_segment_reader_free(xt_segment_reader *reader)
{
    free(reader);
    return NULL;
}
int xt_segment_read(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field field,
                    xt_arena *arena, xt_column *ret, xt_problem *reterr_problem)
{
    return 1;
}
