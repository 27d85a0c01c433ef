/* What foveadetect wrote onto a buffer, as the JSON record that foveapublish writes. */
#ifndef FOVEA_RUNNER_RECORD_H
#define FOVEA_RUNNER_RECORD_H

#include <gst/gst.h>

/* One line without a line break for a buffer that passes pad; *ret_timestamp is its stream time or GST_CLOCK_TIME_NONE. Of a live source
 * the pipeline's clock tells the UTC where the frame does not. NULL when the pad carries no video. Free with g_free(). */
char *fv_record_from_buffer(GstPad *pad, GstBuffer *buffer, const char *source, gboolean live, GstClockTime *ret_timestamp);

#endif
