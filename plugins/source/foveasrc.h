#ifndef FOVEA_PLUGINS_FOVEASRC_H
#define FOVEA_PLUGINS_FOVEASRC_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_FOVEA_SRC (gst_fovea_src_get_type())
G_DECLARE_FINAL_TYPE(GstFoveaSrc, gst_fovea_src, GST, FOVEA_SRC, GstBin)

GST_ELEMENT_REGISTER_DECLARE(foveasrc);

G_END_DECLS
#endif
