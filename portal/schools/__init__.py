"""Who hands in and who signs: schools, communes, certificates, signatories, vendors, trust anchors."""
