# The in-memory API server learns the server-side apply of a single writer: create what is missing, merge into what is there.
s/string(types.StrategicMergePatchType))/string(types.StrategicMergePatchType), string(types.ApplyPatchType))/
s/^import (/import (\n\t"bytes"/
/^func (h \*apiServerHandler) apiV1Patch/,/^}/{
s/^\tif err := inmemoryClient.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {/\tapplied := patchType == types.ApplyPatchType\
\tif applied {\
\t\tpatch = client.RawPatch(types.MergePatchType, patchData)\
\t}\
&\
\t\tif applied \&\& apierrors.IsNotFound(err) {\
\t\t\treq.Request.Body = io.NopCloser(bytes.NewReader(patchData))\
\t\t\th.apiV1Create(req, resp)\
\t\t\treturn\
\t\t}/
}
