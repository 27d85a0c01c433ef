/* What foveadetect wrote onto a buffer, as the JSON record that foveapublish writes. */
#ifndef FOVEA_RUNNER_RECORD_H
#define FOVEA_RUNNER_RECORD_H

#include <gst/gst.h>

/* One line without a line break, or NULL when the caps are no video. Free with g_free(). */
char *fv_record_from_buffer(GstBuffer *buffer, GstCaps *caps, const char *source);

#endif
