/* Chains to GStreamer: elements are made, every property is checked, pads are linked now or when they appear. */
#ifndef FOVEA_RUNNER_BUILD_H
#define FOVEA_RUNNER_BUILD_H

#include <gst/gst.h>

#include "chain.h"

/* Builds chain as a GstPipeline; a floating reference. What does not fit goes to problems and gives NULL. gst_init() comes first. elements, where not NULL, gets the
 * element of every step, in the order of fv_chain_flatten(), borrowed from the pipeline. */
GstElement *fv_build_pipeline(GPtrArray *chain, const char *name, FvProblems *problems, GPtrArray *elements);
/* Sets a property from text; NULL: to its default. FALSE when there is none of that name, or the text does not fit. */
gboolean fv_element_set(GstElement *element, const char *name, const char *value);

/* One sentence for an error message from a bus, without passwords. missing names a codec that a missing-plugin message asked for, or is NULL. */
char *fv_error_sentence(GstMessage *message, const char *missing);
/* What a missing-plugin message asks for ("H.264 decoder"), or NULL for any other message. */
char *fv_missing_plugin(GstMessage *message);

/* Debian's package for a GStreamer element, or NULL when it is not one of those that pipelines commonly lack. */
const char *fv_element_package(const char *factory);

#endif
