/* What is going on, as JSON "fovea.status/1" (docs/pipelines.md). */
#ifndef FOVEA_RUNNER_STATUS_H
#define FOVEA_RUNNER_STATUS_H

#include <gst/gst.h>

#define FV_STATUS_SCHEMA "fovea.status/1"

/* `stats` of an element, or foveasrc's `statistics`; NULL when it has neither. Free with gst_structure_free(). */
GstStructure *fv_element_stats(GstElement *element);
/* A field that counts, whatever its integer type; 0 when it is not there. */
guint64 fv_stats_count(const GstStructure *stats, const char *field);

/* Appends {"name":…,"type":…,"stats":{…}} for every element of pipeline that has statistics, in a list. Fields that are no plain values are left out. */
void fv_status_append_elements(GString *json, GstElement *pipeline);

#endif
