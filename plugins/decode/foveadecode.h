#ifndef FOVEA_PLUGINS_FOVEADECODE_H
#define FOVEA_PLUGINS_FOVEADECODE_H

#include <gst/video/gstvideodecoder.h>

G_BEGIN_DECLS

#define GST_TYPE_FOVEA_DECODE (gst_fovea_decode_get_type())
G_DECLARE_FINAL_TYPE(GstFoveaDecode, gst_fovea_decode, GST, FOVEA_DECODE, GstVideoDecoder)

GST_ELEMENT_REGISTER_DECLARE(foveadecode);

G_END_DECLS
#endif
