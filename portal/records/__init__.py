"""The domain core: intake, admission, packing, dispatch and recall of pupils' records."""
