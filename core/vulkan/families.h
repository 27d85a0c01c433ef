/* The families of kernels, in the order in which rows are tried: the more special first. A new file is one line here and one in meson.build. */
#define FV_VK_FAMILIES(F) \
  F(fv_vk_qconv) F(fv_vk_qmaps) F(fv_vk_qpools) F(fv_vk_qgeneral) F(fv_vk_host_steps) F(fv_vk_conv_first) F(fv_vk_depthwise) F(fv_vk_conv) F(fv_vk_direct) F(fv_vk_gemm) F(fv_vk_product) F(fv_vk_pool) F(fv_vk_elementwise) F(fv_vk_copies) \
  F(fv_vk_resize) F(fv_vk_reduce) F(fv_vk_norm) F(fv_vk_typed_rows) F(fv_vk_gathers) F(fv_vk_pads) F(fv_vk_sorts) F(fv_vk_scatters)
