/* The JSON of fovea_pipeline_dup_status() for people. */
#ifndef FOVEA_TOOLS_STATUS_H
#define FOVEA_TOOLS_STATUS_H

#include <glib.h>

typedef enum FvStatusForm {
  FV_STATUS_TABLE,  /* a heading, a line for each camera, and the reasons of those that do not run */
  FV_STATUS_LINES,  /* a line for each camera, whole sentences: for logs */
  FV_STATUS_SUMMARY /* one line for all: for systemctl status */
} FvStatusForm;

/* Text with line breaks at the ends of lines (none after the summary); lines are cut after `columns` characters, 0: never. NULL when json is no status. */
char *fv_status_text(const char *json, FvStatusForm form, guint columns);

#endif
