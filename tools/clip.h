/* The frames of a recording, one after the other, as RGB. */
#ifndef FOVEA_TOOLS_CLIP_H
#define FOVEA_TOOLS_CLIP_H

#include <glib.h>

#include <fovea/frame.h>
#include <fovea/error.h>

typedef struct FvClip FvClip;

/* Whatever GStreamer decodes. NULL with the reason: no such file, no video in it, a decoder that is not installed. */
FvClip *fv_clip_open(const char *path, FvError *err);
void fv_clip_close(FvClip **clip);
/* 1: the next frame, valid until the next call; 0: the end; negative: it cannot be read further. */
int fv_clip_next(FvClip *clip, FvFrame *frame, FvError *err);
/* Frames of a recording, by reading through it; negative on failure. */
gint64 fv_clip_count(const char *path, FvError *err);

#endif
