/* Picture files: JPEG, PNG, BMP and whatever else gdk-pixbuf reads, as frames. */
#ifndef FOVEA_TOOLS_PICTURE_H
#define FOVEA_TOOLS_PICTURE_H

#include <stdbool.h>

#include <fovea/frame.h>

typedef struct FvPicture {
  void *pixels; /* a GdkPixbuf */
} FvPicture;

/* Reads a picture. upright turns it as its EXIF orientation says, as people expect; annotated collections count pixels as stored.
 * Sides are bounded by FV_MAX_FRAME_SIDE before anything is decoded. */
int fv_picture_read(const char *path, bool upright, FvPicture *picture, FvError *err);
void fv_picture_release(FvPicture *picture);
/* RGB or RGBA; valid until the picture is released. */
FvFrame fv_picture_frame(const FvPicture *picture);
/* True when the ending of path is one that fv_picture_write knows: png, jpg, jpeg, bmp. */
bool fv_picture_can_write(const char *path);
/* Writes RGB or RGBA pixels in the format that the ending names. */
int fv_picture_write(const char *path, const FvFrame *frame, FvError *err);

#endif
