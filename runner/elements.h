/* Fovea's own elements, wherever they were put. */
#ifndef FOVEA_RUNNER_ELEMENTS_H
#define FOVEA_RUNNER_ELEMENTS_H

/* GStreamer looks into the folders of the system and of GST_PLUGIN_PATH. Where our elements are not there, they are loaded from the folder they were
 * installed to (/usr/local is none of GStreamer's), or from the build tree that the program was started from. gst_init() comes first. */
void fv_elements_find(void);

#endif
