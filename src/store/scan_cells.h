/*
 * store/scan_cells - what a scan's reader has of a few rows, for xt_scan_event
 */
#pragma once
#include "store/segment.h"

/* What the rows of xt_scan_reader_rows have in a column; *ret NULL: the column itself is there, or is to be read. */
XT_MUST_USE int xt_scan_cells(xt_scan_reader *reader, xt_field field, const xt_cells **ret, xt_problem *reterr_problem);
/* The place of a row among those. */
size_t xt_scan_place_of(const xt_scan_reader *reader, uint32_t row);
