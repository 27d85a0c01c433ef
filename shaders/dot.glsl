/* Sums of four products of bytes, added by the device's own instruction: for devices with shaderIntegerDotProduct. */
#extension GL_EXT_spirv_intrinsics : require

#define PACKED_4X8 0
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450) int op_dot_signed(uint a, uint b, spirv_literal int form);
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4452) int op_dot_mixed(uint a, uint b, spirv_literal int form);
int dot_signed(uint a, uint b) { return op_dot_signed(a, b, PACKED_4X8); }
int dot_mixed(uint with_sign, uint without) { return op_dot_mixed(with_sign, without, PACKED_4X8); }
